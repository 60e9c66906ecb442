"""GitHub: which repositories can become workspaces."""

from __future__ import annotations

from chaser_emulator.operations import Call, operation
from chaser_emulator.shapes import GithubRepositoriesResponse


@operation("list-github-repositories")
async def list_github_repositories(call: Call) -> GithubRepositoriesResponse:
    """What the folder of repositories holds; a server cannot be asked for all it has (W22)."""
    repositories = call.world.repositories
    return {
        "repositories": [
            {"name": one.repository, "installation_id": one.installation_id, "account_login": one.owner}
            for one in await repositories.listed()
        ],
        "install_url": repositories.install_url,
    }
