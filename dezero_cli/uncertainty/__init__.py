"""Uncertainty: of the inputs -> of the results, to first and second order and by draws."""
