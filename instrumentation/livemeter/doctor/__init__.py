"""``livemeter doctor``: why a dashboard may be empty, told from this environment and the collector.

Probes look (``probes``: thin shells), checks and advice judge what they found (pure), the report writes it.
Everything works in the base install, and also where part of that is broken: what may be missing is
imported where it is needed.
"""
