from django import template

register = template.Library()


@register.filter
def thousands(number):
    return f"{number:,}"
