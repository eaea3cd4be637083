"""S3's gateway endpoint in a VPC: its routes, its policy in force for what the hosts ask of S3, and what EC2 refuses.

https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models import EC2Backend
from moto.ec2.models.route_tables import RouteBackend
from moto.ec2.models.vpcs import VPCBackend, VPCEndPoint
from moto.ec2.responses.vpcs import VPCs

from local_cloud.ec2.machines import Machines
from local_cloud.iam.policy import UnsupportedPolicyError, check
from local_cloud.moto_patch import Ec2Error, replace, wrap


def endpoint_policy(machines: Machines, address: str) -> str | None:
    """The policy of the S3 endpoint by which a host's requests go; None where they go by the internet gateway.

    Args:
        machines: the hosts.
        address: the public address from which a request comes.
    """
    for instance in machines.instances():
        if instance.public_ip_address == address:
            found = endpoint_of_subnet(instance.ec2_backend, str(instance.subnet_id), str(instance.vpc_id))
            return None if found is None else str(found.policy_document)
    return None


def endpoint_of_subnet(backend: EC2Backend, subnet_id: str, vpc_id: str) -> VPCEndPoint | None:
    """The S3 endpoint that stands in the route table of a subnet, the VPC's main one if it has none of its own."""
    own = backend.describe_route_tables(filters={"association.subnet-id": [subnet_id]})
    tables = own or backend.describe_route_tables(filters={"vpc-id": [vpc_id], "association.main": ["true"]})
    ids = {table.id for table in tables}
    there = [endpoint for endpoint in backend.vpc_end_points.values() if ids & set(endpoint.route_table_ids)]
    return there[0] if there else None


def _refuse(backend: EC2Backend, vpc_id: str, service: str, kind: str | None, tables: list[str]) -> None:
    if service != f"com.amazonaws.{backend.region_name}.s3" or (kind or "Gateway") != "Gateway":
        raise Ec2Error("UnsupportedOperation", "The local cloud has gateway endpoints of S3 in its own region only.")
    for table in tables:
        found = backend.get_route_table(table)
        if found.vpc_id != vpc_id:
            raise Ec2Error("InvalidParameter", f"The route table {table} does not belong to {vpc_id}.")
        _refuse_double(backend, table, service)


def _refuse_double(backend: EC2Backend, table: str, service: str) -> None:
    if any(
        table in there.route_table_ids and there.service_name == service for there in backend.vpc_end_points.values()
    ):
        raise Ec2Error(
            "RouteAlreadyExists",
            f"route table {table} already has a route with destination-prefix-list-id of {service}",
        )


def _check_policy(document: str | None) -> None:
    try:
        check(document or "{}")
    except UnsupportedPolicyError as error:
        raise Ec2Error(
            "UnsupportedOperation", f"The local cloud can't judge an endpoint policy with {error}."
        ) from error


def _create(backend: Any, of_moto: Any, vpc_id: str, service_name: str, **wanted: Any) -> Any:
    _refuse(backend, vpc_id, service_name, wanted.get("endpoint_type"), wanted.get("route_table_ids") or [])
    _check_policy(wanted.get("policy_document"))
    wanted["endpoint_type"] = "Gateway"
    return of_moto(vpc_id, service_name, **wanted)


def _modify(backend: Any, vpc_id: str, policy_doc: str | None, **changes: Any) -> None:
    """Route tables that come and go have their route come and go, which moto leaves out."""
    endpoint: Any = backend.get_vpc_end_point(vpc_id)
    if any(
        changes.get(name) for name in ("add_subnets", "remove_subnets", "add_security_groups", "remove_security_groups")
    ):
        raise Ec2Error("InvalidParameter", "A gateway endpoint has neither subnets nor security groups.")
    _check_policy(policy_doc)
    prefix = endpoint.destination_prefix_list_id
    for table in changes.get("add_route_tables") or []:
        _refuse_double(backend, table, endpoint.service_name)
        backend.create_route(table, None, gateway_id=endpoint.id, destination_prefix_list_id=prefix)
        endpoint.route_table_ids.append(table)
    for table in changes.get("remove_route_tables") or []:
        endpoint.route_table_ids.remove(table)
        delete_route_of_moto(backend, table, None, destination_prefix_list_id=prefix)
    endpoint.policy_document = policy_doc or endpoint.policy_document


def _answer_delete(response: VPCs) -> ActionResult:
    """What can't be deleted is told in the answer, and does not fail the call."""
    backend: Any = response.ec2_backend
    unsuccessful = []
    for identifier in response._get_param("VpcEndpointIds", []):
        endpoint = backend.vpc_end_points.pop(identifier, None)
        if endpoint is None:
            message = f"The Vpc Endpoint Id '{identifier}' does not exist"
            error = {"Code": "InvalidVpcEndpoint.NotFound", "Message": message}
            unsuccessful.append({"ResourceId": identifier, "Error": error})
            continue
        for table in endpoint.route_table_ids:
            if table in backend.route_tables:
                delete_route_of_moto(
                    backend, table, None, destination_prefix_list_id=endpoint.destination_prefix_list_id
                )
    return ActionResult({"Unsuccessful": unsuccessful})


def _delete_route(backend: Any, route_table_id: str, *args: Any, **options: Any) -> Any:
    """An endpoint's route comes and goes with the endpoint alone."""
    prefix = options.get("destination_prefix_list_id") or (args[2] if len(args) > 2 else None)
    for endpoint in backend.vpc_end_points.values():
        if prefix and prefix == endpoint.destination_prefix_list_id and route_table_id in endpoint.route_table_ids:
            raise Ec2Error("InvalidParameterValue", f"The route of the endpoint {endpoint.id} can't be deleted.")
    return delete_route_of_moto(backend, route_table_id, *args, **options)


delete_route_of_moto: Any = RouteBackend.delete_route


def install() -> None:
    """Have moto's EC2 keep endpoints as EC2 does."""
    wrap(VPCBackend, "create_vpc_endpoint")(_create)
    replace(VPCBackend, "modify_vpc_endpoint", _modify)
    replace(RouteBackend, "delete_route", _delete_route)
    replace(VPCs, "delete_vpc_endpoints", _answer_delete)
