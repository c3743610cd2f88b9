"""Settings: SQLite in a file, or PostgreSQL where LOGS_POSTGRES_HOST says so."""

import os
import secrets
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = os.environ.get("LOGS_SECRET_KEY") or secrets.token_urlsafe(50)
DEBUG = os.environ.get("LOGS_DEBUG") == "1"
ALLOWED_HOSTS = os.environ.get("LOGS_HOSTS", "localhost,127.0.0.1").split(",")

INSTALLED_APPS = ["django.contrib.staticfiles", "entries"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.common.CommonMiddleware",
]
ROOT_URLCONF = "site_config.urls"
WSGI_APPLICATION = "site_config.wsgi.application"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]

if host := os.environ.get("LOGS_POSTGRES_HOST"):
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": host,
            "NAME": os.environ.get("LOGS_POSTGRES_NAME", "logs"),
            "USER": os.environ.get("LOGS_POSTGRES_USER", "logs"),
            "PASSWORD": os.environ.get("LOGS_POSTGRES_PASSWORD", ""),
        }
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ.get("LOGS_DATABASE", BASE_DIR / "logs.sqlite3"),
        }
    }

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
