from blog.models import Entry
from django.shortcuts import render


def index(request):
    """All entries, or those in which somebody of the name ?author= wrote."""
    entries = Entry.objects.order_by("blog__name", "headline")
    author = request.GET.get("author", "")
    if author:
        entries = entries.filter(authors__name__icontains=author)
    return render(request, "blog/index.html", {"entries": entries, "author": author})
