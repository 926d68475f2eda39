"""The verbs, one a file: propose, judge, align, advise, aggregate."""
