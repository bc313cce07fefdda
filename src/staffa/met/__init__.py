"""What dashboards are told: the state of queues, the times of jobs, the entries of cron.

It is sent as notifications in the form that Elixir Oban's dashboard and those of the Python package
`oban` read, by nodes whose setting `metrics` is on.
"""
