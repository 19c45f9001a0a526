"""Settings of the connection: options, environment variables and the configuration file."""
