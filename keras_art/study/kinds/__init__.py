"""The toolkit's own kinds of runs, each declared without a backend; papers declare theirs beside them."""
