"""What Azure ML's images had and this runtime has not: small stand-ins, there for the user's script alone."""
