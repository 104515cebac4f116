"""What the scripts of ``tools/`` share, and run from Python.

``train.main(argv)`` and ``test.main(argv)`` are ``tools/train.py`` and
``tools/test.py``: with the arguments of the command line, in this process.
"""
