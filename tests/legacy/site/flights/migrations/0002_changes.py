from django.db import migrations, models


class Migration(migrations.Migration):
    """What djongo 1.3 left behind: a lost counter, an old key in __schema__, a unique index that should be gone, type codes of None."""

    dependencies = [("flights", "0001_initial")]

    operations = [
        migrations.RenameModel("Diary", "Log"),
        migrations.AlterModelTable("Log", "site_log"),
        migrations.RenameField("Airport", "lat", "latitude"),
        migrations.AddField("Airport", "remarks", models.TextField(null=True)),
        migrations.AddField("Flight", "slug", models.SlugField(default="")),
        migrations.AlterField("Tag", "word", models.CharField(max_length=20)),
    ]
