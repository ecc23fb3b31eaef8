"""Questions about products, answered by the assistant."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shop import catalogue
from shop.assistant import AssistantUnavailableError
from shop.services import Shop, shop_of

UNAVAILABLE = 503


async def ask(request: Request) -> Response:
    """Answer a question: `{"product": slug, "question": text}`."""
    shop = shop_of(request)
    body = await request.json()
    name = _product_name(shop, str(body.get("product", "")))
    try:
        answer = await shop.assistant.answer(
            shop.db, product=name, question=str(body.get("question", "")), now=shop.clock()
        )
    except AssistantUnavailableError as error:
        return JSONResponse({"error": str(error)}, UNAVAILABLE)
    return JSONResponse({"answer": answer})


async def presets(request: Request) -> Response:
    """Answer what most visitors ask about a product."""
    shop = shop_of(request)
    name = _product_name(shop, request.path_params["slug"])
    try:
        answers = await shop.assistant.answer_presets(shop.db, product=name, now=shop.clock())
    except AssistantUnavailableError as error:
        return JSONResponse({"error": str(error)}, UNAVAILABLE)
    return JSONResponse([{"question": question, "answer": text} for question, text in answers])


def _product_name(shop: Shop, slug: str) -> str:
    found = catalogue.find_product(shop.db, slug)
    if found is None:
        raise HTTPException(404, "There is no such product.")
    return found.card.name
