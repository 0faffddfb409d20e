"""Livemeter under the frameworks that people build voice agents with, each as it is published.

``make test-frameworks`` runs this: every framework needs an environment of its own, because their pins
conflict. ``<name>/app.py`` is what a user of that framework would write, with ``import livemeter.auto`` as
the only line about Livemeter; it runs there and talks to the fake Live server.
"""
