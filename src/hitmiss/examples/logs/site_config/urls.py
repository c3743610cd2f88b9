from django.urls import path

from entries import views

urlpatterns = [
    path("", views.page, name="page"),
    path("entries", views.entries, name="entries"),
]
