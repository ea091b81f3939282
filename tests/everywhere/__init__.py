"""Every registered command in every odd situation, and every command line that README and help show."""
