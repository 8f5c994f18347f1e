"""The platform's error responses: their codes, messages and data."""

from __future__ import annotations

from typing import Any

from bkjob_async.model.refs import Scope

PERMISSION_DENIED = 9900403

# The platform's messages, English and Chinese; braces are for what a message names.
# Source: bk-job's common-i18n, i18n/exception/message_en.properties and message_zh.properties.
MESSAGES: dict[int, tuple[str, str]] = {
    1211002: ("CMDB API returned data exception", "CMDB API返回数据异常"),
    1215001: ("IAM API data unexpected", "IAM 接口数据异常"),
    1240002: ("Internal Server Error", "内部服务器异常"),
    1240003: ("Bad Request", "错误的请求"),
    1241002: ("Invalid request parameters", "请求参数不合法"),
    1241003: ("Unsupported operation", "不支持的操作"),
    1241005: ("Invalid request parameter [{}]", "请求参数[{}]不合法"),
    1241007: ("Missing or invalid request parameter [{}]", "请求参数[{}]缺失或不合法"),
    1241010: ("Invalid request parameter [{}], reason: {}", "请求参数[{}]不合法，原因：{}"),
    1241012: ("Invalid request parameter, reason: {}", "请求参数不合法，原因：{}"),
    1241015: (
        "Unsupported operation,do not repeat start the job,job_instance_id={}",
        "不支持的操作，请勿重复启动作业,job_instance_id={}",
    ),
    1241025: ("Fields [{}] bind failed", "字段[{}]绑定失败"),
    1243001: ("Script not exist", "脚本不存在"),
    1243009: ("Job plan does not exist", "执行方案不存在"),
    1243026: ("Job template not exist", "模版不存在"),
    1243042: ("Job plan name already exists", "执行方案名称已存在"),
    1243047: ("Script version does not exist", "脚本版本不存在"),
    1243051: ("Scope not exist: {}", "资源范围不存在：{}"),
    1244001: ("Host is empty", "主机为空"),
    1244006: ("Task instance does not exist", "作业实例不存在"),
    1244007: ("Task step instance does not exist", "作业步骤实例不存在"),
    1244012: ("Job plan does not exist", "执行方案不存在"),
    1244016: ("Only the confirmer of the step can operate", "只有步骤的确认人可以操作"),
    1244022: (
        "The number of script task target servers exceeds the limit: {}",
        "脚本任务目标服务器数量超过限制：{}",
    ),
    1244026: ("Invalid rolling strategy", "非法的滚动策略"),
    1245001: ("Cron job does not exist", "定时任务不存在"),
    1260012: ("Cannot find file source by code:{}", "无法根据标识{}找到文件源"),
    1252001: ("DB is not available", "DB 不可用"),
    1264001: (
        "Analyze task error only support Script or File step",
        "AI分析任务报错信息仅支持脚本或文件任务步骤",
    ),
    1264004: (
        "Target execute object does not exist. Please verify the task and execute object parameters.",
        "目标执行对象不存在，请检查任务及执行对象参数是否正确。",
    ),
    9900403: (
        "User ({}) permission not allowed, please confirm and apply permission in IAM and try again",
        "用户({})权限不足，请前往权限中心确认并申请补充后重试",
    ),
}

# The words of violated constraints, by their names there: they are the whole message of 1240003.
# Source: bk-job's common-i18n, i18n/validation/ValidationMessages_en.properties and ValidationMessages_zh.properties.
VIOLATIONS: dict[str, tuple[str, str]] = {
    "ScriptContent_empty": ("Script content cannot be empty", "脚本内容不能为空"),
    "ScriptType_illegal": ("Illegal script type", "脚本类型非法"),
    "InvalidCronId": ("Invalid id", "非法的定时任务 ID"),
    "InvalidCronJobPlanId": ("Invalid job_plan_id", "非法的作业 ID"),
    "InvalidCronJobName_empty": ("Cron name cannot be empty", "定时作业名称不能为空"),
    "InvalidJobTemplateId": ("job_template_id is invalid", "作业模板 ID（job_template_id）非法"),
    "InvalidJobPlanName_empty": ("name cannot be empty", "执行方案名称（name）不能为空"),
    "ValidCallbackUrl": (
        "Callback url is invalid or not in the allowed list, please contact the platform administrator to add it",
        "回调地址不合法或不在允许列表中，请联系平台管理员添加",
    ),
    "Host_empty": ("Hosts can not be empty", "主机不能为空"),
    "InvalidExecuteObjectsSize": (
        "The number of execute objects for a single query must be between {min} and {max}",
        "单次查询的执行目标数量必须在 {min}-{max} 之间",
    ),
    "InvalidJobTimeout_outOfRange": (
        "Job timeout must be between {min} and {max}",
        "作业超时时间必须在{min}-{max}之间",
    ),
    "InvalidJobInstanceId": ("Job instance id must be a positive number", "任务实例ID必须为正整数"),
    "InvalidStepInstanceId": ("Step instance id must be a positive number", "步骤实例ID必须为正整数"),
    "InvalidExecuteCount": ("Execute count must be a non-negative integer", "执行次数必须为非负整数"),
    "InvalidExecuteObjectType": ("Execute object type cannot be empty", "执行对象类型不能为空"),
    "InvalidExecuteObjectResourceId": (
        "Execute object resource id must be a positive number",
        "执行对象资源ID必须为正整数",
    ),
    "InvalidFileTaskMode": ("File task mode cannot be empty", "文件分发任务模式不能为空"),
    "ExecuteTarget_empty": ("Job execute target can not be empty", "作业执行目标不能为空"),
    "ExecuteTarget_ClusterFilterEmpty": (
        "Job execute target - cluster filter cannot be empty",
        "执行目标-集群过滤器不能为空",
    ),
    "ExecuteTarget_AllCluster": (
        (
            "Job execute target - only the cluster filter is given. Please supplement other filters. "
            "If you want to execute in the whole cluster, please set execute_in_whole_cluster to true"
        ),
        "执行目标-当前只传递了集群过滤器，请补充其他过滤器。若是想整个集群执行，请设置execute_in_whole_cluster为true",
    ),
    "ExecuteTarget_MixHostAndContainer": (
        "Job execute target - cannot mix host and container in one step",
        "执行目标-主机和容器不能混合执行",
    ),
    "TopoNodeType_null": ("Topo node type can not be empty", "拓扑节点类型不能为空"),
    "InvalidBkBizId": ("Invalid bk_biz_id", "非法的业务 ID"),
    "InvalidBkScopeType": ("Invalid bk_scope_type", "非法的资源范围类型"),
    "InvalidBkScopeId": ("Invalid bk_scope_id", "非法的资源范围 ID"),
    "RollingFileSource_NotNull": ("Rolling file source config cannot be null", "源文件滚动配置不可为空"),
    "RollingBatchStartWaitFixedMs_NotNull": (
        "Batch start fixed wait(ms) cannot be null in parallel scatter mode",
        "并行错峰模式下批次间固定延迟(毫秒)不可为空",
    ),
    "RollingBatchStartWaitRandomMinMs_NotNull": (
        "Batch start random wait min(ms) cannot be null in parallel scatter mode",
        "并行错峰模式下批次间随机延迟下限(毫秒)不可为空",
    ),
    "RollingBatchStartWaitRandomMaxMs_NotNull": (
        "Batch start random wait max(ms) cannot be null in parallel scatter mode",
        "并行错峰模式下批次间随机延迟上限(毫秒)不可为空",
    ),
    "RollingBatchStartWaitMs_Range": (
        "Batch start wait param(ms) must be in range [0, 3600000]",
        "错峰延迟参数(毫秒)取值范围必须为[0, 3600000]",
    ),
    "RollingBatchStartWaitRandomMaxLessThanMin": (
        "Batch start random wait max cannot be less than random wait min",
        "批次间随机延迟上限不可小于随机延迟下限",
    ),
}

# The fields of the platform's request classes, of constraints that version 4 has.
FIELDS = {
    "Host_empty": "hostIdList",
    "InvalidExecuteObjectsSize": "hostIdList",
    "InvalidJobTimeout_outOfRange": "timeout",
    "ValidCallbackUrl": "callbackUrl",
    "InvalidJobInstanceId": "jobInstanceId",
    "InvalidStepInstanceId": "stepInstanceId",
    "InvalidExecuteCount": "executeCount",
    "InvalidExecuteObjectType": "executeObjectType",
    "InvalidExecuteObjectResourceId": "executeObjectResourceId",
    "InvalidFileTaskMode": "mode",
    "InvalidBkBizId": "bizId",
    "InvalidBkScopeType": "scopeType",
    "InvalidBkScopeId": "scopeId",
}


class ApiError(Exception):
    """An error of the platform: *code*, message, HTTP status, and which part of it responds.

    *chinese* is the message for requests that do not ask for English, *violated_field* the field of a violated constraint.
    """

    def __init__(
        self,
        code: int,
        message: str,
        *,
        chinese: str | None = None,
        violated_field: str | None = None,
        status: int = 200,
        by: str = "job",
        details: Any = None,
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.chinese = message if chinese is None else chinese
        self.violated_field = violated_field
        self.status = status
        self.by = by
        self.details = details

    def text(self, language: str) -> str:
        """Return the message in English, or in Chinese for any other language."""
        return self.message if language == "en" else self.chinese


def api_error(code: int, *named: object, details: Any = None) -> ApiError:
    """Return an error of Job itself, with what its message names."""
    english, chinese = MESSAGES[code]
    return ApiError(code, english.format(*named), chinese=chinese.format(*named), details=details)


def missing_parameter(name: str) -> ApiError:
    """Return the error for a missing or invalid parameter, by name."""
    return api_error(1241007, name)


def violation(constraint: str, **limits: int) -> ApiError:
    """Return the error for a request that violates a constraint, with its words alone."""
    english, chinese = (text.format(**limits) for text in VIOLATIONS[constraint])
    return ApiError(1240003, english, chinese=chinese, violated_field=FIELDS.get(constraint, "executeTarget"))


def bad_request() -> ApiError:
    """Return the error for a request that cannot be read: a parameter is missing in a query, or of the wrong type.

    Its message does not say which. Source: bk-job's EsbExceptionControllerAdvice.
    """
    return api_error(1240003)


def no_such_path(path: str) -> ApiError:
    """Return the error for an unknown path; the ESB's has no code."""
    if "/api/c/" in path:
        return ApiError(0, "Not found, the component class was not found", status=404, by="esb-path")
    return ApiError(1640401, f'API not found [path="{path}"]', status=404, by="gateway")


def permission_denied(scope: Scope, user: str) -> ApiError:
    """Return the error for a *user* who may not see what ran in *scope*, with the missing permission."""
    kind = {"system_id": "bk_cmdb", "system_name": "CMDB", "type": str(scope.type), "type_name": "Business"}
    instance = {
        "id": str(scope.id),
        "type": str(scope.type),
        "type_name": "Business",
        "name": f"business {scope.id}",
    }
    action = {
        "id": "view_history",
        "name": "View history",
        "related_resource_types": [{**kind, "instances": [[instance]]}],
    }
    permission = {"system_id": "bk_job", "system_name": "Job", "actions": [action]}
    return api_error(PERMISSION_DENIED, user, details=permission)
