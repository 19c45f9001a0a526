"""Downloads over real sockets."""
