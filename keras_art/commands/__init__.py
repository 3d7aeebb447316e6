"""What reads the command line: a reproduction's, and one file for every verb of python -m keras_art."""
