"""The playbook: brings every host to the models its role asks for. By hand: pyinfra inventory/aws.py deploy.py"""

from pyinfra.context import host

from jada import Service, Tiers
from jada.tasks.converge import converge, request_from

converge(
    request=request_from(host.data.jada_fleet, host.data.jada_nofile),
    role=host.data.jada_role,
    tiers=Tiers.of(host.data.jada_tiers),
    service=Service.of(host.data.jada_service),
)
