"""Equations and optima from exact derivatives: models and arrays in, arrays out."""
