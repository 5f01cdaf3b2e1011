"""Word stock of the other languages: short, everyday, the project's own wording.

Each language gives openings, topics, qualifiers, sentence subjects, sentence predicates and closings. ``#``
becomes a number when pools are expanded.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tongue:
    """Word stock of one language."""

    opens: tuple[str, ...]
    topics: tuple[str, ...]
    qualifiers: tuple[str, ...]
    subjects: tuple[str, ...]
    predicates: tuple[str, ...]
    closes: tuple[str, ...]
    space: str = " "
    stop: str = ". "


def _t(*rows: str, space: str = " ", stop: str = ". ") -> Tongue:
    opens, topics, qualifiers, subjects, predicates, closes = (
        tuple(x.strip() for x in r.split("|")) for r in rows
    )
    return Tongue(opens, topics, qualifiers, subjects, predicates, closes, space, stop)


TONGUES: dict[str, Tongue] = {
    "zh": _t(
        "请帮我写|请解释|帮我修改|我想了解|请比较|请总结|能不能给我一份|怎么处理|请检查|请列出",
        "季度销售报告|租房合同|数据库索引|旅行计划|健身安排|产品介绍|会议纪要|毕业论文提纲|退款申请|客户投诉信|家庭预算|"
        "面试问题|菜谱|代码注释|培训资料|活动方案|新闻稿|学习计划|物流方案|用户调查",
        "，控制在#字以内|，语气要正式|，尽量简单|，给#个例子|，用表格|，适合初学者|，不要重复|，先说结论|，分#步|，面向客户",
        "我们的客户|财务部门|老师|这台服务器|第#个版本|上海的团队|供应商|房东|这份表格|新同事|测试环境|物业",
        "昨天提出了#个问题|要求下周一之前完成|比去年多了#件|没有说明原因|更改了付款方式|只保留了一半的数据|每天需要#分钟|"
        "已经推迟了两次|希望看到更短的版本|在#号会议上讨论过|与附件不一致|暂时无法使用",
        "谢谢|麻烦了|||请先给出要点|辛苦了",
        space="",
        stop="。",
    ),
    "ja": _t(
        "次の内容を教えてください：|下書きを作ってください：|わかりやすく説明してください：|添削をお願いします：|比較してください：|"
        "要約してください：|相談です。|アイデアをください：|確認してください：",
        "週報の書き方|引っ越しの見積もり|会議の議事録|データベースの移行|旅行の日程|献立|採用面接の質問|商品の紹介文|"
        "お礼の手紙|家計簿|学習計画|契約書の条項|お客様への返信|テストの設計|研修資料|町内会のお知らせ|自己紹介",
        "（#字以内）|、丁寧な文体で|、簡潔に|、例を#つ|、表の形で|、初心者向けに|、理由も添えて|、#人向け|、結論から",
        "担当者|取引先|先生|新しい装置|第#版|営業部|大家さん|この資料|友人|システム|市役所",
        "は#日までに返事が必要だと言いました|では#件の誤りが見つかりました|は先月から変更されています|が説明を省略しています|"
        "は毎朝#分かかります|は予算を超えています|には写真が付いていません|は二回延期されました|では動作が確認できません|"
        "は短い文章を好みます",
        "よろしくお願いします|お願いします|||急ぎです|助かります",
        space="",
        stop="。",
    ),
    "ko": _t(
        "다음을 작성해 주세요: |설명해 주세요: |고쳐 주세요: |비교해 주세요: |요약해 주세요: |아이디어를 주세요: |검토해 주세요: |어떻게 하면 좋을까요, ",
        "분기 보고서|임대 계약서|여행 일정|식단표|면접 질문|제품 소개|회의록|데이터베이스 이전|환불 요청|학습 계획|가계부|고객 답변|"
        "자기소개서|시험 문제|교육 자료|행사 안내문|물류 계획",
        "#자 이내로|정중하게|간단하게|예시 #개와 함께|표로|초보자용으로|결론부터|이유를 덧붙여|#명 기준으로",
        "담당자가|고객이|선생님이|새 서버가|#번째 초안이|영업팀이|집주인이|이 파일이|동료가|공급업체가",
        "#일까지 답을 원합니다|#건의 오류를 냈습니다|지난달에 바뀌었습니다|이유를 설명하지 않았습니다|매일 #분이 걸립니다|"
        "예산을 넘었습니다|두 번 미뤄졌습니다|짧은 글을 좋아합니다|첨부와 맞지 않습니다|아직 작동하지 않습니다",
        "감사합니다.|부탁드려요.|||급합니다.|고마워요",
    ),
    "es": _t(
        "Escribe|Ayúdame con|Explica|Corrige|Resume|Compara dos opciones para|Dame ideas para|Revisa|Prepara",
        "el informe trimestral|un contrato de alquiler|el plan de viaje|una carta de queja|la base de datos|el menú semanal|"
        "las preguntas de entrevista|la descripción del producto|el acta de la reunión|un presupuesto familiar|"
        "una respuesta al cliente|el plan de estudio|un discurso breve|el cartel del barrio|la tabla de gastos",
        "en # palabras|con tono formal|de forma sencilla|con # ejemplos|en una tabla|para principiantes|sin repetir|"
        "con la conclusión primero|para # personas",
        "El cliente|La profesora|El servidor nuevo|La versión #|El equipo de ventas|El casero|Mi hermana|El proveedor|"
        "La oficina|El archivo",
        "pidió una respuesta antes del día #|encontró # errores|cambió el mes pasado|no explica el motivo|tarda # minutos|"
        "supera el presupuesto|se aplazó dos veces|prefiere textos cortos|no coincide con el anexo|todavía no funciona",
        "Gracias.|Muchas gracias||||Es urgente.",
    ),
    "fr": _t(
        "Rédige|Aide-moi avec|Explique|Corrige|Résume|Compare deux options pour|Donne des idées pour|Relis|Prépare",
        "le rapport trimestriel|un contrat de location|le programme du voyage|une lettre de réclamation|la base de données|"
        "le menu de la semaine|les questions d'entretien|la fiche produit|le compte rendu|un budget familial|"
        "une réponse au client|le plan de révision|un petit discours|l'affiche de la fête|le tableau des frais",
        "en # mots|sur un ton formel|simplement|avec # exemples|sous forme de tableau|pour débutants|sans répétition|"
        "en commençant par la conclusion|pour # personnes",
        "Le client|La professeure|Le nouveau serveur|La version #|L'équipe commerciale|Le propriétaire|Ma sœur|"
        "Le fournisseur|Le bureau|Le fichier",
        "veut une réponse avant le #|a trouvé # erreurs|a changé le mois dernier|n'explique pas la raison|prend # minutes|"
        "dépasse le budget|a été reporté deux fois|préfère les textes courts|ne correspond pas à l'annexe|ne marche pas encore",
        "Merci.|Merci d'avance.||||C'est urgent.",
    ),
    "de": _t(
        "Schreibe|Hilf mir bei|Erkläre|Korrigiere|Fasse zusammen:|Vergleiche zwei Wege für|Gib mir Ideen für|Prüfe|Entwirf",
        "den Quartalsbericht|einen Mietvertrag|die Reiseplanung|ein Beschwerdeschreiben|die Datenbankmigration|den Wochenplan|"
        "die Fragen zum Vorstellungsgespräch|die Produktbeschreibung|das Protokoll|ein Haushaltsbuch|eine Kundenantwort|"
        "den Lernplan|eine kurze Rede|den Aushang|die Kostentabelle",
        "in # Wörtern|in förmlichem Ton|ganz einfach|mit # Beispielen|als Tabelle|für Anfänger|ohne Wiederholung|"
        "mit dem Ergebnis zuerst|für # Personen",
        "Der Kunde|Die Lehrerin|Der neue Server|Version #|Der Vertrieb|Der Vermieter|Meine Schwester|Der Lieferant|"
        "Das Amt|Die Datei",
        "will bis zum #. eine Antwort|hat # Fehler gefunden|wurde letzten Monat geändert|nennt keinen Grund|braucht # Minuten|"
        "liegt über dem Budget|wurde zweimal verschoben|mag kurze Texte|passt nicht zum Anhang|läuft noch nicht",
        "Danke.|Vielen Dank!||||Es eilt.",
    ),
    "pt": _t(
        "Escreva|Me ajude com|Explique|Corrija|Resuma|Compare duas opções para|Dê ideias para|Revise|Prepare",
        "o relatório trimestral|um contrato de aluguel|o roteiro da viagem|uma carta de reclamação|o banco de dados|"
        "o cardápio da semana|as perguntas da entrevista|a descrição do produto|a ata da reunião|um orçamento familiar|"
        "uma resposta ao cliente|o plano de estudos|um discurso curto|o cartaz da festa|a tabela de gastos",
        "em # palavras|em tom formal|de forma simples|com # exemplos|em uma tabela|para iniciantes|sem repetir|"
        "com a conclusão primeiro|para # pessoas",
        "O cliente|A professora|O servidor novo|A versão #|A equipe de vendas|O proprietário|Minha irmã|O fornecedor|"
        "O escritório|O arquivo",
        "quer resposta até o dia #|achou # erros|mudou no mês passado|não explica o motivo|leva # minutos|"
        "passou do orçamento|foi adiado duas vezes|prefere textos curtos|não bate com o anexo|ainda não funciona",
        "Obrigado.|Valeu!||||É urgente.",
    ),
    "ru": _t(
        "Напиши|Помоги мне:|Объясни|Исправь|Кратко изложи|Сравни два варианта:|Предложи идеи:|Проверь|Подготовь",
        "квартальный отчёт|договор аренды|план поездки|жалобу|перенос базы данных|меню на неделю|вопросы для собеседования|"
        "описание товара|протокол встречи|семейный бюджет|ответ клиенту|план занятий|короткую речь|объявление|таблицу расходов",
        "в # словах|в официальном тоне|простыми словами|с # примерами|в виде таблицы|для начинающих|без повторов|"
        "начиная с вывода|на # человек",
        "Клиент|Учительница|Новый сервер|Версия #|Отдел продаж|Хозяин квартиры|Сестра|Поставщик|Файл|Коллега",
        "просит ответ до # числа|нашёл # ошибок|изменился в прошлом месяце|не объясняет причину|занимает # минут|"
        "выходит за бюджет|перенесён дважды|любит короткие тексты|не совпадает с приложением|пока не работает",
        "Спасибо.|Заранее благодарю.||||Срочно.",
    ),
}
"""Eight languages beside English."""
