"""A bookshop that writes mails to its customers."""
