"""What happens on the wire between the client and hosts that misbehave."""
