"""Style transfer by adaptive instance normalisation: a decoder trained on a collection, and the collection stylised."""
