from django.contrib import admin
from django.urls import path

from flights import views

urlpatterns = [
    path("", views.delays, name="delays"),
    path("admin/", admin.site.urls),
]
