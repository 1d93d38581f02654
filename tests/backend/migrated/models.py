from django.db import models


class Owner(models.Model):
    name = models.CharField(max_length=50, unique=True)


class Boat(models.Model):
    owner = models.ForeignKey(Owner, models.CASCADE)
    length = models.DecimalField(max_digits=6, decimal_places=2, null=True)
    launched = models.DateField()
    masts = models.SmallIntegerField(default=1)
