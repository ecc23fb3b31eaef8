"""What runs inside the recorded program: CPython 3.8 or newer, standard library only.

It is imported under this short name, so it imports itself relatively and nothing of perfwright.
"""
