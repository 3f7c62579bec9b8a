"""Puts the API together: routes, error shapes, counting, and paths with or without a slash at their end."""

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as AnyHttpException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sangam.model.errors import SangamError

from .deps import ApiDeps
from .errors import ApiError, ErrorCode, failure, from_house
from .gate import mode_of
from .metrics import Metrics
from .requests import explain
from .routes import make_router

MAX_BODY = 1 << 20


def create_api(deps: ApiDeps) -> FastAPI:
    """The ASGI application. `/docs` shows its OpenAPI description."""
    app = FastAPI(
        title="Sangam",
        version=deps.version,
        description="One API for Indian brokers. Every request carries its `apikey` in the JSON body.",
        redirect_slashes=False,
        redoc_url=None,
    )
    metrics = Metrics(deps.metrics, deps.families)
    # One flat list: routers inside routers are matched one inside the other, at 100 µs a request.
    app.router.routes += make_router(deps, metrics).routes
    app.add_middleware(_Door, metrics=metrics)

    def answer(error: ApiError) -> Response:
        metrics.errors.labels(error.extra.get("broker", ""), error.code).inc()
        return failure(error)

    @app.exception_handler(ApiError)
    async def refused(request: Request, error: ApiError) -> Response:
        return answer(error)

    @app.exception_handler(SangamError)
    async def failed(request: Request, error: SangamError) -> Response:
        return answer(from_house(error))

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> Response:
        told = explain(request.url.path, error.errors())
        if deps.desk is not None and isinstance(error.body, dict):
            told.extra |= mode_of(deps, deps.desk, request.url.path, error.body)
        return answer(told)

    @app.exception_handler(AnyHttpException)
    async def http_fault(request: Request, error: AnyHttpException) -> Response:
        if error.status_code == 404:
            return answer(ApiError(404, ErrorCode.INVALID_INPUT, "Not found", path=request.url.path))
        reply = answer(ApiError(error.status_code, ErrorCode.INVALID_INPUT, str(error.detail)))
        reply.headers.update(error.headers or {})
        return reply

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> Response:
        """The server above us logs the traceback; the client hears nothing of our inside."""
        return answer(ApiError(500, ErrorCode.UNKNOWN_ERROR, "An unexpected error occurred"))

    return app


class _Door:
    """Before routing: drops the slash at a path's end (clients do not follow redirects) and stops bodies that are too
    large. After it: counts replies."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        if path != "/" and path.endswith("/"):
            path = path.rstrip("/") or "/"
            scope = {**scope, "path": path, "raw_path": path.encode()}

        taken = 0

        async def measured() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > MAX_BODY:
                raise HTTPException(413, f"The body is larger than {MAX_BODY} bytes.")
            return message

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = scope.get("route")
                known = getattr(route, "path", "other")
                self._metrics.requests.labels(known, str(message["status"])).inc()
            await send(message)

        await self._app(scope, measured, counted)
