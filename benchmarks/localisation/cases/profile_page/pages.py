"""Profile pages."""

from __future__ import annotations

import asyncio
import html
from string import Template

from partner import PartnerClient

PAGE = Template("<article id='$id'><h1>$name</h1><img src='$avatar'><ul>$posts</ul></article>")


class Database:
    async def user(self, number: int) -> dict[str, object]:
        await asyncio.sleep(0.003)
        return {"id": number, "name": f"User <{number}>"}

    async def posts(self, number: int) -> list[str]:
        await asyncio.sleep(0.005)
        return [f"Post {index} of {number} & friends" for index in range(30)]


def render(user: dict[str, object], posts: list[str], avatar: str) -> str:
    items = "".join(f"<li>{html.escape(post)}</li>" for post in posts)
    return PAGE.substitute(
        id=user["id"], name=html.escape(str(user["name"])), avatar=avatar, posts=items
    )


async def profile_page(database: Database, partner: PartnerClient, number: int) -> str:
    async with asyncio.TaskGroup() as group:
        user = group.create_task(database.user(number))
        posts = group.create_task(database.posts(number))
        avatar = group.create_task(partner.avatar(number))
    return render(user.result(), posts.result(), avatar.result())


async def feed_page(database: Database, number: int) -> str:
    posts = await database.posts(number)
    return render({"id": number, "name": "feed"}, posts, "/none.png")
