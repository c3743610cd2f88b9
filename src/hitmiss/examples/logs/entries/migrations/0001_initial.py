from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Entry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(auto_now_add=True, db_index=True)),
                ("source", models.CharField(max_length=100)),
                (
                    "level",
                    models.CharField(
                        choices=[("info", "Info"), ("warning", "Warning"), ("error", "Error")],
                        db_index=True,
                        default="info",
                        max_length=10,
                    ),
                ),
                ("message", models.TextField()),
            ],
            options={"ordering": ["-at", "-id"]},
        ),
    ]
