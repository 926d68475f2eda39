"""What happens between the operator, the engine and the session. Nothing here imports textual."""
