"""Statements about assistants, their channels, their credentials and what they remember."""

from __future__ import annotations

from chaser_emulator.clock import new_id
from chaser_emulator.store import Reader, Row, Transaction

ACTIVE = "active"
PAUSED = "paused"


async def of_account(reader: Reader, account_id: str) -> list[Row]:
    """Every assistant, newest first."""
    return await reader.all(
        "SELECT * FROM assistants WHERE account_id = ? ORDER BY created_at DESC, id DESC", account_id
    )


async def get_in(reader: Reader, account_id: str, assistant_id: str) -> Row | None:
    """The assistant with this id, if it is the account's."""
    return await reader.one(
        "SELECT * FROM assistants WHERE id = ? AND account_id = ?", assistant_id.lower(), account_id
    )


async def get(reader: Reader, assistant_id: str) -> Row | None:
    """The assistant with this id, whoever's it is."""
    return await reader.one("SELECT * FROM assistants WHERE id = ?", assistant_id.lower())


async def insert(tx: Transaction, account_id: str, name: str, config: str, *, workspace_id: str, at: str) -> Row:
    """Add one that is active; `config` is JSON."""
    return await tx.insert(
        "assistants",
        id=new_id(),
        account_id=account_id,
        name=name,
        status=ACTIVE,
        config=config,
        workspace_id=workspace_id,
        created_at=at,
        updated_at=at,
    )


async def rename(tx: Transaction, assistant_id: str, name: str, at: str) -> None:
    await tx.run("UPDATE assistants SET name = ?, updated_at = ? WHERE id = ?", name, at, assistant_id)


async def set_config(tx: Transaction, assistant_id: str, config: str, at: str) -> None:
    """Give it another configuration, which is another version of it."""
    await tx.run(
        "UPDATE assistants SET config = ?, config_version = config_version + 1, updated_at = ? WHERE id = ?",
        config,
        at,
        assistant_id,
    )


async def set_status(tx: Transaction, assistant_id: str, status: str, at: str) -> None:
    await tx.run("UPDATE assistants SET status = ?, updated_at = ? WHERE id = ?", status, at, assistant_id)


async def _touch(tx: Transaction, assistant_id: str, at: str) -> None:
    await tx.run("UPDATE assistants SET updated_at = ? WHERE id = ?", at, assistant_id)


async def channels(reader: Reader, assistant_id: str) -> list[Row]:
    """What an assistant is bound to, newest first."""
    return await reader.all(
        "SELECT * FROM assistant_channels WHERE assistant_id = ? ORDER BY created_at DESC, id DESC", assistant_id
    )


async def channels_of_account(reader: Reader, account_id: str) -> list[Row]:
    """What the assistants of an account are bound to, newest first."""
    return await reader.all(
        "SELECT * FROM assistant_channels WHERE account_id = ? ORDER BY created_at DESC, id DESC", account_id
    )


async def channel(reader: Reader, account_id: str, channel_type: str, channel_id: str) -> Row | None:
    """The binding of a channel in an account."""
    return await reader.one(
        "SELECT * FROM assistant_channels WHERE account_id = ? AND channel_type = ? AND channel_id = ?",
        account_id,
        channel_type,
        channel_id,
    )


async def bind(
    tx: Transaction, assistant: Row, channel_type: str, channel_id: str, credential_name: str | None, at: str
) -> Row:
    """Bind a channel. Raises sqlite3.IntegrityError when it is bound in this account already."""
    await _touch(tx, assistant["id"], at)
    return await tx.insert(
        "assistant_channels",
        id=new_id(),
        account_id=assistant["account_id"],
        assistant_id=assistant["id"],
        channel_type=channel_type,
        channel_id=channel_id,
        credential_name=credential_name,
        created_at=at,
    )


async def unbind(tx: Transaction, assistant_id: str, binding_id: str, at: str) -> bool:
    """Take a binding away; answers whether the assistant had it."""
    gone = await tx.run(
        "DELETE FROM assistant_channels WHERE id = ? AND assistant_id = ?", binding_id.lower(), assistant_id
    )
    if gone:
        await _touch(tx, assistant_id, at)
    return gone == 1


async def store_credential(
    tx: Transaction, account_id: str, assistant_id: str | None, name: str, sealed: str, at: str
) -> Row:
    """Keep what the vault made of a secret, in place of what was there under this name."""
    await tx.run(
        "DELETE FROM assistant_credentials WHERE account_id = ? AND name = ? AND assistant_id IS ?",
        account_id,
        name,
        assistant_id,
    )
    return await tx.insert(
        "assistant_credentials",
        account_id=account_id,
        assistant_id=assistant_id,
        name=name,
        sealed=sealed,
        updated_at=at,
    )


async def credential(reader: Reader, assistant: Row, name: str) -> Row | None:
    """What an assistant finds under a name: its own credential, else the one of the whole account (T16)."""
    return await reader.one(
        """SELECT * FROM assistant_credentials WHERE account_id = ? AND name = ?
           AND (assistant_id = ? OR assistant_id IS NULL) ORDER BY assistant_id IS NULL LIMIT 1""",
        assistant["account_id"],
        name,
        assistant["id"],
    )


async def credentials(reader: Reader, assistant: Row) -> list[Row]:
    """All that an assistant can find, by name; its own before one of the same name for the whole account."""
    return await reader.all(
        """SELECT * FROM assistant_credentials WHERE account_id = ? AND (assistant_id = ? OR assistant_id IS NULL)
           ORDER BY name, assistant_id IS NULL""",
        assistant["account_id"],
        assistant["id"],
    )


async def state(reader: Reader, assistant_id: str) -> Row | None:
    """What an assistant remembers; None before the first write."""
    return await reader.one("SELECT * FROM assistant_states WHERE assistant_id = ?", assistant_id)


async def write_state(tx: Transaction, assistant_id: str, state: str, at: str) -> Row:
    """Replace what an assistant remembers, which is another version of it; `state` is JSON."""
    [row] = await tx.all(
        """INSERT INTO assistant_states VALUES (?, ?, 1, ?) ON CONFLICT DO UPDATE
           SET state = excluded.state, version = version + 1, updated_at = excluded.updated_at RETURNING *""",
        assistant_id,
        state,
        at,
    )
    return row
