from tests.e2e.conftest import project as project
