"""The playbook: brings every host to the model its role asks for. By hand: pyinfra inventory/aws.py deploy.py"""

from pyinfra.context import host

from jada.tasks.converge import converge, request_from
from jada.tasks.transaction import Service

converge(
    request=request_from(host.data.jada_fleet, host.data.jada_nofile),
    role=host.data.jada_role,
    model=host.data.jada_model,
    service=Service(
        unit=host.data.jada_service,
        settings=host.data.jada_settings,
        health=host.data.jada_health,
        settle=host.data.jada_settle,
        keep=host.data.jada_keep,
        probe=host.data.jada_probe,
        projects=host.data.jada_projects,
    ),
)
