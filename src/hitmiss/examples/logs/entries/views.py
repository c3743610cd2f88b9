"""A page of the newest entries, and an address that takes and gives them as JSON."""

import json

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_safe

from entries.models import Entry

NEWEST = 100


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    return render(request, "entries/page.html", {"entries": Entry.objects.all()[:NEWEST]})


@require_http_methods(["GET", "POST"])
def entries(request: HttpRequest) -> HttpResponse:
    if request.method == "GET":
        found = Entry.objects.all()
        if level := request.GET.get("level"):
            found = found.filter(level=level)
        return JsonResponse({"entries": [entry.as_json() for entry in found[:NEWEST]]})
    try:
        sent = json.loads(request.body)
        entry = Entry(**{name: sent[name] for name in ("source", "level", "message") if name in sent})
        entry.full_clean()
    except (ValueError, TypeError, ValidationError) as error:
        return JsonResponse({"error": str(error)}, status=400)
    entry.save()
    return JsonResponse(entry.as_json(), status=201)
