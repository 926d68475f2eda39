"""The verbs, one a file: propose, judge, align."""
