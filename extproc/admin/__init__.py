"""What operators and probes ask: is it alive, is it ready, what has it counted. Holds nothing secret; loopback unless
told otherwise."""
