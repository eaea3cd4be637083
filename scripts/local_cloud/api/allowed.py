"""Which API calls the local cloud serves truly; every other is an error that names it, never an empty success."""

from __future__ import annotations

from collections.abc import Mapping

READING = ("Describe", "Get", "List", "Lookup", "Search", "BatchGet")

# Services of which every reading call may pass: what can't be made here is truthfully not listed.
READABLE = frozenset({"ec2", "iam", "sts", "glue", "athena", "tagging"})

# Reading calls that moto answers with something made up.
INVENTED = frozenset(
    {
        "ec2:GetConsoleOutput",
        "ec2:GetConsoleScreenshot",
        "ec2:GetPasswordData",
        "ec2:DescribeSpotPriceHistory",
        "ec2:DescribeReservedInstancesOfferings",
        "glue:GetPlan",
        "glue:GetMapping",
        "sts:GetFederationToken",
        "sts:GetSessionToken",
    }
)

WRITES: Mapping[str, frozenset[str]] = {
    "ec2": frozenset(
        {
            *("CreateVpc", "DeleteVpc", "ModifyVpcAttribute", "CreateSubnet", "DeleteSubnet", "ModifySubnetAttribute"),
            *("CreateInternetGateway", "DeleteInternetGateway", "AttachInternetGateway", "DetachInternetGateway"),
            *("CreateRouteTable", "DeleteRouteTable", "CreateRoute", "ReplaceRoute", "DeleteRoute"),
            *("AssociateRouteTable", "ReplaceRouteTableAssociation", "DisassociateRouteTable"),
            *("CreateSecurityGroup", "DeleteSecurityGroup"),
            *("AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress", "ModifySecurityGroupRules"),
            *("RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress"),
            *("UpdateSecurityGroupRuleDescriptionsIngress", "UpdateSecurityGroupRuleDescriptionsEgress"),
            *("CreateKeyPair", "ImportKeyPair", "DeleteKeyPair"),
            *("AllocateAddress", "AssociateAddress", "DisassociateAddress", "ReleaseAddress"),
            *("RunInstances", "StartInstances", "StopInstances", "RebootInstances", "TerminateInstances"),
            *("ModifyInstanceAttribute", "ModifyInstanceMetadataOptions", "ModifyNetworkInterfaceAttribute"),
            "ModifyInstanceCreditSpecification",
            *("CreateVpcEndpoint", "ModifyVpcEndpoint", "DeleteVpcEndpoints"),
            *("CreateNatGateway", "DeleteNatGateway"),
            *("AssociateIamInstanceProfile", "DisassociateIamInstanceProfile"),
            "ReplaceIamInstanceProfileAssociation",
            *("CreateTags", "DeleteTags", "DeleteVolume", "DeleteNetworkInterface"),
        }
    ),
    "iam": frozenset(
        {
            *("CreateRole", "DeleteRole", "UpdateRole", "UpdateRoleDescription", "UpdateAssumeRolePolicy"),
            *("PutRolePolicy", "DeleteRolePolicy", "AttachRolePolicy", "DetachRolePolicy", "TagRole", "UntagRole"),
            *("CreatePolicy", "DeletePolicy", "CreatePolicyVersion", "DeletePolicyVersion"),
            *("SetDefaultPolicyVersion", "TagPolicy", "UntagPolicy"),
            *("CreateInstanceProfile", "DeleteInstanceProfile", "TagInstanceProfile", "UntagInstanceProfile"),
            *("AddRoleToInstanceProfile", "RemoveRoleFromInstanceProfile"),
            *("CreateUser", "DeleteUser", "TagUser", "UntagUser", "PutUserPolicy", "DeleteUserPolicy"),
            *("AttachUserPolicy", "DetachUserPolicy", "CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey"),
            "SimulatePrincipalPolicy",
        }
    ),
    "sts": frozenset({"AssumeRole"}),
    "glue": frozenset(
        {
            *("CreateDatabase", "UpdateDatabase", "DeleteDatabase", "CreateTable", "UpdateTable", "DeleteTable"),
            *("BatchDeleteTable", "CreatePartition", "UpdatePartition", "DeletePartition", "BatchCreatePartition"),
            *("BatchDeletePartition", "BatchUpdatePartition", "DeleteTableVersion", "BatchDeleteTableVersion"),
            *("UpdateColumnStatisticsForTable", "DeleteColumnStatisticsForTable"),
            *("UpdateColumnStatisticsForPartition", "DeleteColumnStatisticsForPartition"),
            *("CreateUserDefinedFunction", "UpdateUserDefinedFunction", "DeleteUserDefinedFunction"),
            *("CreateCrawler", "UpdateCrawler", "DeleteCrawler", "StartCrawler", "StopCrawler"),
            *("TagResource", "UntagResource"),
        }
    ),
    "athena": frozenset(
        {
            *("CreateWorkGroup", "UpdateWorkGroup", "DeleteWorkGroup", "StartQueryExecution", "StopQueryExecution"),
            *("CreateNamedQuery", "UpdateNamedQuery", "DeleteNamedQuery", "TagResource", "UntagResource"),
            *("CreatePreparedStatement", "UpdatePreparedStatement", "DeletePreparedStatement"),
        }
    ),
    "tagging": frozenset({"TagResources", "UntagResources"}),
    "budgets": frozenset(
        {
            *("CreateBudget", "DescribeBudget", "DescribeBudgets", "DeleteBudget", "ListTagsForResource"),
            *("DescribeNotificationsForBudget", "DescribeSubscribersForNotification"),
        }
    ),
    # The settings of a new account, which nobody can change here: IAM alone decides about the catalog.
    "lakeformation": frozenset({"GetDataLakeSettings"}),
    # Parameter Store, whose values lie in memory only, and which instances run the agent; there are no sessions.
    "ssm": frozenset(
        {
            *("PutParameter", "GetParameter", "GetParameters", "GetParametersByPath", "GetParameterHistory"),
            *("DescribeParameters", "DeleteParameter", "DeleteParameters"),
            *("AddTagsToResource", "RemoveTagsFromResource", "ListTagsForResource"),
            "DescribeInstanceInformation",
        }
    ),
}

# S3 has no action's name in a request: what a request is about is told by its query string.
S3_QUERIES = frozenset(
    {
        *("acl", "attributes", "continuation-token", "delete", "delimiter", "encoding-type", "encryption"),
        *("fetch-owner", "key-marker", "lifecycle", "list-type", "location", "marker", "max-keys", "max-uploads"),
        *("ownershipcontrols", "partnumber", "part-number-marker", "policy", "policystatus", "prefix"),
        *("publicaccessblock", "response-cache-control", "response-content-disposition"),
        *("response-content-encoding", "response-content-type", "start-after", "tagging", "upload-id-marker"),
        *("uploadid", "uploads", "versionid", "version-id-marker", "versioning", "versions", "x-id"),
        *("x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-security-token"),
        *("x-amz-signature", "x-amz-signedheaders", "x-amz-checksum-mode"),
    }
)
# Sub-resources that can be asked for, since a bucket that has none is the truth, but not set.
S3_READ_ONLY = frozenset(
    {
        *("accelerate", "analytics", "cors", "inventory", "legal-hold", "logging", "metrics", "notification"),
        *("object-lock", "replication", "requestpayment", "retention", "website", "intelligent-tiering", "id"),
    }
)


def is_allowed(service: str, action: str) -> bool:
    """Whether the local cloud serves this action of a service truly."""
    if f"{service}:{action}" in INVENTED:
        return False
    if action in WRITES.get(service, ()):
        return True
    return service in READABLE and action.startswith(READING)


def refused_s3_query(method: str, names: list[str]) -> str | None:
    """Return the part of an S3 request's query string that the local cloud does not serve, if there is one."""
    for name in names:
        lower = name.lower()
        if lower in S3_QUERIES or (lower in S3_READ_ONLY and method in ("GET", "HEAD")):
            continue
        return name
    return None
