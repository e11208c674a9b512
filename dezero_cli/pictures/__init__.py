"""Pictures: curves, contours and computational graphs."""
