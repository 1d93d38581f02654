from django.db import migrations, models


def nothing(apps, schema_editor):
    pass


class Migration(migrations.Migration):
    dependencies = [("migrated", "0001_initial")]
    operations = [
        migrations.AddField("boat", "masts", models.SmallIntegerField(default=1)),
        migrations.RunPython(nothing, nothing),
        migrations.RunSQL("CREATE INDEX boat_launched\nON migrated_boat (launched)", "DROP INDEX boat_launched"),
    ]
