from blog.models import Category, Entry, Topic
from django.contrib import admin
from djongo.admin import ModelAdmin

admin.site.register(Category)
admin.site.register(Topic)


@admin.register(Entry)
class EntryAdmin(ModelAdmin):
    list_display = ["headline", "blog__name", "meta__rating", "meta__published"]
    list_filter = ["meta__rating", "blog__name"]
    search_fields = ["headline", "blog__name", "authors__name"]
