"""What every end-to-end test may ask for."""

import pytest

from reference import Reference
from server import Server


@pytest.fixture
def servers(tmp_path):
    """Makes servers; they are stopped at the end, and a warning or error that the test did not expect fails it."""
    made = []

    def make(name="server", config=None, arguments=()):
        server = Server(tmp_path / name, config, arguments)
        made.append(server)
        return server

    yield make
    problems = []
    for server in made:
        if server.is_running():
            try:
                server.stop()
            except Exception as error:  # the others must be stopped as well
                problems.append(str(error))
                server.kill()
        problems += server.problems()
    assert not problems, "the server logged what no test expected:\n" + "\n".join(problems[:20])


@pytest.fixture
def server(servers):
    """A running server with its defaults."""
    return servers().start()


@pytest.fixture
def reference(tmp_path):
    """A Prometheus that scrapes nothing and takes remote writes."""
    started = Reference(tmp_path / "reference")
    try:
        started.wait()
        yield started
    finally:
        started.stop()
