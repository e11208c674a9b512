"""The same work side by side with the peers: every figure comes from here, as a ratio.

``python -m bench`` runs every comparison; each is a module of this package with a function
``run()`` that gives rows for the table.
"""
