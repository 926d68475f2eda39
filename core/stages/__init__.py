"""The verbs, one a file: propose, judge, align; advise and aggregate, which make consult."""
