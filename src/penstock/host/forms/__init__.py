"""Forms made from JSON Schema: for the inputs of a flow, and for the candidates of a lock.

asking.py reads a schema as a list of questions, controls.py makes a WTForms field of each, and
form.py is the form: it shows values and errors, and reads what a browser sends.
"""

from penstock.host.forms.form import SchemaForm

__all__ = ["SchemaForm"]
