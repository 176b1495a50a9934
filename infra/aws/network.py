"""The network: two or three private subnets, one way out, and who may reach whom."""

from aws_cdk import App, Fn, Tags
from aws_cdk import aws_ec2 as ec2

from infra.aws.parts import PipelineStack, sub

CIDR = "10.20.0.0/16"  # the default; a workspace of Databricks in a VPC of its own must not overlap it
IAM_PORT, POSTGRES_PORT, PROXY_PORT = 9098, 5432, 8082
GATEWAY_PORT = 80


class Network(PipelineStack):
    """VPC, subnets, NAT, gateway endpoint of S3, security groups."""

    def __init__(self, app: App) -> None:
        super().__init__(app, "network", "Network of the pipeline: private subnets, NAT, security groups")
        cidr = self.parameter("Cidr", "Addresses of the VPC, a /16", default=CIDR, allowed_pattern=r"[\d.]+/16")
        self.vpc = ec2.CfnVPC(self, "Vpc", cidr_block=cidr, enable_dns_support=True, enable_dns_hostnames=True)
        self.blocks = Fn.cidr(cidr, 4, "12")
        self.zones = Fn.get_azs("")
        nat = self.way_out()
        subnets = {letter: self.private_subnet(index, letter, nat) for index, letter in enumerate("ABC")}
        for resource in subnets["C"]:
            resource.cfn_options.condition = self.three_zones()
        for letter in "AB":
            self.share({f"Subnet{letter}": subnets[letter][0].ref})
        self.share({"VpcId": self.vpc.ref, "Subnets": self.list_of(subnets)})
        self.security_groups()
        self.accept(
            {
                "AwsSolutions-VPC7": "Flow logs cost more than the rest of a small network.",
                "CloudFormation-Validate::W1001": "The third subnet is named only where the condition has made it.",
            }
        )

    def list_of(self, subnets: dict[str, tuple[ec2.CfnSubnet, ec2.CfnSubnetRouteTableAssociation]]) -> str:
        two = [subnets[letter][0].ref for letter in "AB"]
        three = Fn.join(",", [*two, subnets["C"][0].ref])
        return Fn.condition_if(self.three_zones().logical_id, three, Fn.join(",", two)).to_string()

    def way_out(self) -> str:
        """Make the public subnet with the NAT gateway; return the private subnets' route table."""
        gateway = ec2.CfnInternetGateway(self, "InternetGateway")
        attached = ec2.CfnVPCGatewayAttachment(
            self, "InternetGatewayAttachment", vpc_id=self.vpc.ref, internet_gateway_id=gateway.ref
        )
        public = self.subnet("SubnetPublic", 3, 0)
        table = ec2.CfnRouteTable(self, "RouteTablePublic", vpc_id=self.vpc.ref)
        route = ec2.CfnRoute(
            self, "RoutePublic",
            route_table_id=table.ref, destination_cidr_block="0.0.0.0/0", gateway_id=gateway.ref,
        )  # fmt: skip
        route.add_resource_dependency(attached)
        ec2.CfnSubnetRouteTableAssociation(self, "SubnetPublicRoutes", subnet_id=public.ref, route_table_id=table.ref)
        address = ec2.CfnEIP(self, "NatAddress", domain="vpc")
        nat = ec2.CfnNatGateway(self, "Nat", subnet_id=public.ref, allocation_id=address.attr_allocation_id)
        nat.add_resource_dependency(route)
        private = ec2.CfnRouteTable(self, "RouteTablePrivate", vpc_id=self.vpc.ref)
        ec2.CfnRoute(
            self, "RoutePrivate",
            route_table_id=private.ref, destination_cidr_block="0.0.0.0/0", nat_gateway_id=nat.ref,
        )  # fmt: skip
        ec2.CfnVPCEndpoint(
            self, "S3Endpoint",
            vpc_id=self.vpc.ref, service_name=sub("com.amazonaws.${AWS::Region}.s3"),
            vpc_endpoint_type="Gateway", route_table_ids=[private.ref],
        )  # fmt: skip
        return private.ref

    def private_subnet(
        self, index: int, letter: str, routes: str
    ) -> tuple[ec2.CfnSubnet, ec2.CfnSubnetRouteTableAssociation]:
        subnet = self.subnet(f"Subnet{letter}", index, index)
        return subnet, ec2.CfnSubnetRouteTableAssociation(
            self, f"Subnet{letter}Routes", subnet_id=subnet.ref, route_table_id=routes
        )

    def subnet(self, key: str, block: int, zone: int) -> ec2.CfnSubnet:
        return ec2.CfnSubnet(
            self, key,
            vpc_id=self.vpc.ref, cidr_block=Fn.select(block, self.blocks),
            availability_zone=Fn.select(zone, self.zones), map_public_ip_on_launch=False,
        )  # fmt: skip

    def security_groups(self) -> None:
        """Clients are MWAA, the connector, the proxy and Databricks; each server admits them on its port alone."""
        groups = {
            key: ec2.CfnSecurityGroup(self, key, group_description=what, vpc_id=self.vpc.ref)
            for key, what in {
                "Clients": "Airflow, the connector, the Kafka REST proxy and Databricks",
                "Kafka": "Brokers of MSK",
                "Database": "PostgreSQL",
                "LoadBalancer": "The internal load balancer of the Kafka REST proxy, and its VPC link",
            }.items()
        }
        for key, (server, client, port) in {
            "ClientsAmongThemselves": ("Clients", "Clients", None),  # MWAA's own rule for its environments
            "ClientsToKafka": ("Kafka", "Clients", IAM_PORT),
            "ClientsToDatabase": ("Database", "Clients", POSTGRES_PORT),
            "LinkToLoadBalancer": ("LoadBalancer", "LoadBalancer", GATEWAY_PORT),
            "LoadBalancerToProxy": ("Clients", "LoadBalancer", PROXY_PORT),
        }.items():
            ports = {"ip_protocol": "tcp", "from_port": port, "to_port": port} if port else {"ip_protocol": "-1"}
            ec2.CfnSecurityGroupIngress(
                self, key,
                group_id=groups[server].attr_group_id, source_security_group_id=groups[client].attr_group_id,
                description=f"{client} to {server}", **ports,
            )  # fmt: skip
        for key, group in groups.items():
            Tags.of(group).add("Name", key)
            self.share({f"{key}Group": group.attr_group_id})
