"""The words: frozen types and their arithmetic, with units in their names. No input, no output, no clock.

Resources are counted the way the scheduler counts them: `cpu` in millicores, everything else (`memory`,
`ephemeral-storage`, `pods`, any extended resource) in base units, bytes or pieces. Money is in whole micro-US$ per hour.
Times are seconds since the epoch, as the API server or the cloud said them.
"""
