"""The platform's status codes, and its texts for them.

Sources: bk-job's RunStatusEnum, ExecuteObjectTaskStatusEnum and the messages of job-execute.
"""

BLANK, RUNNING, SUCCESS, FAIL, SKIPPED, IGNORE_ERROR, WAITING_USER = 1, 2, 3, 4, 5, 6, 7
ABNORMAL, STOPPING, STOP_SUCCESS, CONFIRM_TERMINATED, ABANDONED, ROLLING_WAITING = 9, 10, 11, 13, 14, 15

FINAL_RUN = frozenset({3, 4, 5, 6, 8, 9, 11, 13, 14})

HOST_WAITING, HOST_RUNNING, HOST_SUCCESS, HOST_STOPPED, HOST_UNKNOWN = 5, 7, 9, 403, 500
UNFINISHED_HOST = frozenset({HOST_WAITING, HOST_RUNNING})
SUCCESSFUL_HOST = frozenset({3, HOST_SUCCESS})

# Hosts that cannot run anything: they end when their step starts.
NEVER_STARTED_HOST = frozenset({2, 18})

SCRIPT, FILE, CONFIRM, SQL = 1, 2, 3, 4

HOST_STATUS_TEXTS: dict[int, tuple[str, str]] = {
    0: ("Unknown Error", "未知错误"),
    1: ("Abnormal Agent", "Agent 异常"),
    2: ("Invalid Execute Object", "无效执行对象"),
    3: ("Successful Last Time", "上次已成功"),
    5: ("Waiting", "等待执行"),
    7: ("Running", "正在执行"),
    9: ("Success", "执行成功"),
    11: ("Failed", "任务失败"),
    12: ("Task send failed", "任务下发失败"),
    13: ("Task Timeout", "任务超时"),
    15: ("Error in Log", "任务日志错误"),
    16: ("Script Log Timeout", "GSE 脚本日志超时"),
    17: ("File Log Timeout", "GSE 文件日志超时"),
    18: ("Agent not installed", "Agent 未安装"),
    101: ("Script Execution Failed", "脚本执行失败"),
    102: ("Script Execution Timeout", "脚本执行超时"),
    103: ("Script Execution Terminated", "脚本执行被终止"),
    104: ("Non-zero Exit Code", "脚本返回码非零"),
    202: ("File Transmission Failed", "文件传输失败"),
    203: ("Source File Not Exists", "源文件不存在"),
    301: ("Unclassified File Failure", "文件任务系统错误-未分类的"),
    303: ("File Transmission Timeout", "执行任务超时"),
    310: ("Abnormal Agent", "Agent 异常"),
    311: ("User not exist", "用户名不存在"),
    312: ("User password incorrect", "用户密码错误"),
    320: ("File pull failed", "文件获取失败"),
    321: ("File size exceeds limit", "文件超出限制"),
    329: ("File Transmission Error", "文件传输错误"),
    399: ("Execution Error", "任务执行出错"),
    403: ("Force Terminated", "任务强制终止成功"),
    404: ("Force Terminate Failed", "任务强制终止失败"),
    500: ("Unknown", "未知"),
}


def host_status_text(code: int, language: str) -> str:
    """Return the server's text for a host's status."""
    english, chinese = HOST_STATUS_TEXTS.get(code, (f"Unknown {code}", f"未知 {code}"))
    return english if language == "en" else chinese
