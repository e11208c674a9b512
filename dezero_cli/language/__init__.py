"""The language: text -> Expression -> calls on Variables, and what is wrong with a text."""
