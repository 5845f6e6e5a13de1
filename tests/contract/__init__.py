"""What every provider promises, tried on each of them: the fake in memory, and AWS on moto behind a faulty wire."""
