"""Two admin sites over the same models: `stock/` has them registered and no more, `own/` by djongo.admin.ModelAdmin with options that reach into documents."""

from django.contrib import admin
from django.urls import path
from shop.models import Entry, Node, Owner, Person, Tour

from djongo.admin import ModelAdmin, TabularInline

stock = admin.AdminSite("stock")
for model in (Entry, Tour, Owner):
    stock.register(model)

own = admin.AdminSite("own")


class PersonAdmin(admin.ModelAdmin):
    search_fields = ["username"]


class NodeInline(TabularInline):
    model = Node
    fields = ["name"]
    extra = 1


class EntryAdmin(ModelAdmin):
    list_display = ["headline", "blog__name", "blog__tagline__title", "authors__name"]
    list_filter = ["blog__name", "authors__name"]
    search_fields = ["blog__name", "authors__email"]
    readonly_fields = ["authors__name", "blog__tagline"]
    fieldsets = [(None, {"fields": ["headline", "authors__name"]}), ("Blog", {"fields": ["blog", "tags"], "classes": ["collapse"]})]
    list_display_links = ["blog__name"]
    inlines = [NodeInline]


class TourAdmin(ModelAdmin):
    autocomplete_fields = ["visits__by"]
    list_filter = ["visits__kind", "home__country"]
    list_display = ["name", "home__country"]
    ordering = ["home__country"]


own.register(Person, PersonAdmin)
own.register(Entry, EntryAdmin)
own.register(Tour, TourAdmin)

urlpatterns = [path("stock/", stock.urls), path("own/", own.urls)]
